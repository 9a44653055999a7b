DROP TABLE id_token_key;
