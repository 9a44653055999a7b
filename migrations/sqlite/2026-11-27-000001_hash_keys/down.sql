DROP TABLE hash_key;
