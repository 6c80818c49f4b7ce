-- Run once, when PostgreSQL's volume is new: Footage Desk uses the database that POSTGRES_DB names, Camunda its own beside it.
CREATE DATABASE camunda;
