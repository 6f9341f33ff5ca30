-- What people do to tables that live.

ALTER TABLE "Front Desk"."Patient" RENAME COLUMN "group" TO "Group No";
ALTER TABLE "Front Desk"."Patient" ALTER COLUMN "Group No" TYPE integer;
ALTER TABLE "Front Desk"."Patient" ADD COLUMN "blood type" text NOT NULL DEFAULT 'unknown, yet';
ALTER TABLE lab.reading DROP COLUMN tick;
ALTER TABLE lab.sample ADD COLUMN checked_at timestamptz;
ALTER TYPE lab.state ADD VALUE 'lost';
CREATE TABLE "Front Desk".visits_2027 PARTITION OF "Front Desk"."Visits by day"
    FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
