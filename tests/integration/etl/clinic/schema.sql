-- Two schemas that know nothing of a lake, with what PostgreSQL's designers like to use.

CREATE SCHEMA "Front Desk";
CREATE SCHEMA lab;
CREATE TYPE lab.state AS ENUM ('taken', 'in transit', 'done, checked');
CREATE TYPE lab.address AS (street text, "no" int);
CREATE DOMAIN lab.grams AS numeric(9,3) CHECK (value >= 0);
CREATE DOMAIN lab.code AS varchar(12) NOT NULL;

CREATE TABLE countries (code char(2) PRIMARY KEY, name text NOT NULL, flag text);

CREATE TABLE "Front Desk"."Patient" (
    "Patient Id" uuid DEFAULT gen_random_uuid(), "Family Name" text NOT NULL, "group" smallint,
    "full ""name""" text GENERATED ALWAYS AS (upper("Family Name")) STORED,
    born date, "e-mail" text, country char(2) REFERENCES countries,
    balance numeric, is_active boolean NOT NULL DEFAULT true, home lab.address, notes jsonb DEFAULT '{}',
    PRIMARY KEY ("Patient Id")
);

CREATE TABLE "Front Desk"."Visits by day" (
    day date, seq int GENERATED ALWAYS AS IDENTITY, patient uuid NOT NULL, fee numeric(8,2), slot tstzrange,
    PRIMARY KEY (day, seq)
) PARTITION BY RANGE (day);
CREATE TABLE "Front Desk".visits_2025 PARTITION OF "Front Desk"."Visits by day"
    FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE "Front Desk".visits_2026 PARTITION OF "Front Desk"."Visits by day"
    FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');

CREATE TABLE lab.sample (
    code lab.code, taken_at timestamptz(3), state lab.state NOT NULL DEFAULT 'taken', mass lab.grams,
    tags text[] NOT NULL DEFAULT '{}', grid int[][], bits bit varying(16), mac macaddr, net cidr, host inet,
    stay interval, daily time, daily_tz timetz, span int4range, spans int8multirange, place point,
    path path, vector tsvector, raw bytea, meta json, id oid, pointer pg_lsn,
    PRIMARY KEY (code, taken_at)
);

CREATE TABLE lab.result (
    sample lab.code, taken_at timestamptz(3), test text COLLATE "C", value numeric, exact numeric(60,20),
    approx real, wide double precision, remark text,
    PRIMARY KEY (test, sample, taken_at)
);
ALTER TABLE lab.result ALTER remark SET STORAGE EXTERNAL;

CREATE TABLE lab.reading (
    device int, at timestamp, level numeric(5,1), tenant_id uuid NOT NULL, tick smallserial,
    PRIMARY KEY (device, at)
);
CREATE UNIQUE INDEX reading_identity ON lab.reading (device, at, tenant_id);
ALTER TABLE lab.reading REPLICA IDENTITY USING INDEX reading_identity;

CREATE TABLE lab."device.log, v2" (id bigint PRIMARY KEY, "Level" text, "select" text);
ALTER TABLE lab."device.log, v2" REPLICA IDENTITY FULL;
