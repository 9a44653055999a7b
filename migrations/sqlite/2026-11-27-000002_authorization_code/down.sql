DROP TABLE authorization_code;
