-- Values that are hard to carry.

INSERT INTO countries VALUES ('DE', 'Germany', E'\U0001F1E9\U0001F1EA'), ('XX', '', NULL), ('Y ', ' ', '');

INSERT INTO "Front Desk"."Patient" ("Patient Id", "Family Name", "group", born, "e-mail", country, balance, home, notes)
VALUES ('00000000-0000-0000-0000-000000000001', 'O''Hara "Jo"', -32768, '1969-12-31', NULL, 'DE', 'NaN',
        ROW('Elm, "the" St', 7), '{"a": "x, \"y\"\nz", "n": 1.50}'),
       ('00000000-0000-0000-0000-000000000002', '', 32767, '0001-01-01', '', NULL, 'Infinity', NULL, 'null'),
       ('00000000-0000-0000-0000-000000000003', E'tab\there\r\nnext', NULL, '9999-12-31', 'a,b', 'XX',
        1e-30, ROW(NULL, NULL), '[]'),
       ('00000000-0000-0000-0000-000000000004', E'\U0001F926\u200D', 0, NULL, '\N', NULL,
        123456789012345678901234567890.123456789, NULL, '{"\u00e9": [1, "2"]}');

INSERT INTO "Front Desk"."Visits by day" (day, patient, fee, slot)
SELECT '2025-12-01'::date + i, ('00000000-0000-0000-0000-00000000000' || 1 + i % 4)::uuid, i * 1.25,
       tstzrange('2026-01-01', CASE WHEN i % 3 > 0 THEN '2026-01-02'::timestamptz END, '[)')
  FROM generate_series(0, 60) i;

INSERT INTO lab.sample
VALUES ('A', '2026-03-29 01:30:00.123+00', 'done, checked', 1.250, ARRAY['a,b', 'q"q', NULL, ''], '{{1,2},{3,NULL}}',
        B'10110', '08:00:2b:01:02:03', '192.168.0.0/16', '10.1.2.3/8', '1 year 2 mons -3 days 04:05:06.789',
        '24:00', '12:00+05:30', '[1,5)', '{[1,3),[7,9)}', '(1.5,-2)', '((0,0),(1,1))',
        'fat:2 cat:1'::tsvector, '\xdeadbeef00', '{ "k" : 1, "k": 2 }', 4294967295, '16/B374D848'),
       ('B', '2026-10-25 00:30:00+00', DEFAULT, 0, DEFAULT, NULL, NULL, NULL, NULL, '::1', NULL, NULL, NULL, 'empty',
        '{}', NULL, NULL, NULL, '\x', NULL, 0, NULL);

INSERT INTO lab.result
VALUES ('A', '2026-03-29 01:30:00.123+00', 'ph', 'NaN', -0.00000000000000000001, 'NaN', '-Infinity', repeat('r', 9000)),
       ('A', '2026-03-29 01:30:00.123+00', 'Ph', '-Infinity', 1e38, 1e-45, 5e-324, ''),
       ('B', '2026-10-25 00:30:00+00', 'a|b', 1e-100, NULL, 0.1, -0.0, NULL);

INSERT INTO lab.reading (device, at, level, tenant_id)
SELECT i % 5, '2026-01-01'::timestamp + i * interval '1 hour', i / 10.0, ('00000000-0000-0000-0000-00000000000' || i % 3)::uuid
  FROM generate_series(1, 200) i;

INSERT INTO lab."device.log, v2" SELECT i, 'INFO', repeat('s', i) FROM generate_series(1, 20) i;
