-- Run once, when PostgreSQL's volume is new: the books have the database that POSTGRES_DB names, Camunda its own beside it.
CREATE DATABASE camunda;
