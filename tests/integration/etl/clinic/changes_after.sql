-- Changes under the new shapes.

INSERT INTO "Front Desk"."Patient" ("Patient Id", "Family Name", "Group No", "blood type")
VALUES ('00000000-0000-0000-0000-00000000000d', 'late', 70000, 'AB');
UPDATE lab.sample SET state = 'lost', checked_at = '2026-11-25 00:00:00+00' WHERE code = 'B';
INSERT INTO "Front Desk"."Visits by day" (day, patient) VALUES ('2027-05-05', gen_random_uuid());
UPDATE lab.reading SET level = 0 WHERE device = 1;
