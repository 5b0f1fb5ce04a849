-- Where everything else goes; the other files name no database, they are run in this one.
CREATE DATABASE IF NOT EXISTS {database:Identifier}
