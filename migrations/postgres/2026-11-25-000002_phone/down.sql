DROP TABLE factor_phone;
