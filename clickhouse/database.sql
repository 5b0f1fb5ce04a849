-- The database for all other files, which do not name one: they are run in it.
CREATE DATABASE IF NOT EXISTS {database:Identifier}
