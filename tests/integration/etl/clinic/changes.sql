-- Every kind of change, key changes and moves between partitions among them.

UPDATE "Front Desk"."Patient" SET "Family Name" = 'new, "name"', notes = notes || '{"b": "c\nd"}'
 WHERE "Patient Id" = '00000000-0000-0000-0000-000000000001';
UPDATE "Front Desk"."Patient" SET "Patient Id" = '00000000-0000-0000-0000-00000000000a', home = ROW('x', 1)
 WHERE "Family Name" = '';
DELETE FROM "Front Desk"."Patient" WHERE "Patient Id" = '00000000-0000-0000-0000-000000000004';
INSERT INTO "Front Desk"."Patient" ("Patient Id", "Family Name", "e-mail")
VALUES ('00000000-0000-0000-0000-00000000000b', 'NULL', '');
UPDATE "Front Desk"."Visits by day" SET fee = fee + 1, slot = 'empty' WHERE seq % 7 = 0;
UPDATE "Front Desk"."Visits by day" SET day = '2025-06-01' WHERE seq = 60;
DELETE FROM "Front Desk"."Visits by day" WHERE seq IN (3, 4);
UPDATE lab.sample SET state = 'in transit', tags = tags || '{new}'::text[], host = '10.0.0.1' WHERE code = 'B';
UPDATE lab.sample SET code = 'A2', bits = B'1', stay = '-1 day', raw = '\x0a' WHERE code = 'A';
UPDATE lab.result SET value = 0, approx = 3.4028235e38 WHERE test = 'ph';
UPDATE lab.result SET wide = 1e308, exact = 0 WHERE test = 'a|b';
DELETE FROM lab.result WHERE test = 'Ph';
UPDATE lab.reading SET level = 9999.9 WHERE device = 2;
DELETE FROM lab.reading WHERE device = 3;
UPDATE lab.reading SET device = 7 WHERE device = 4;
UPDATE lab."device.log, v2" SET "select" = NULL WHERE id % 2 = 0;
DELETE FROM lab."device.log, v2" WHERE id = 1;
TRUNCATE countries CASCADE;
INSERT INTO countries VALUES ('FR', 'France', NULL);
INSERT INTO "Front Desk"."Patient" ("Patient Id", "Family Name", country)
VALUES ('00000000-0000-0000-0000-00000000000c', 'after', 'FR');
