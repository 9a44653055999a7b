-- What a login writes, as one statement and one transaction: the gate, the step, session, token and audit log. No code is checked and nothing
-- is signed. `people` and `client` come from the command line; the step stays as it is, for the runs after this one.
\set number random(0, :people - 1)
WITH who AS (
    SELECT "user".id, factor.id AS factor_id, (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now
    FROM "user" JOIN factor ON factor.user_id = "user".id AND factor.state = 'active' JOIN factor_secret ON factor_id = factor.id
    WHERE name_folded = 'person' || lpad((:number)::text, 8, '0') AND "user".state = 'active'
), gate AS (
    INSERT INTO lockout (subject, failures, locked_until, attempted_at) SELECT id, 0, 0, now FROM who
    ON CONFLICT (subject) DO UPDATE SET attempted_at = EXCLUDED.attempted_at WHERE lockout.locked_until <= EXCLUDED.attempted_at
    RETURNING subject
), spent AS (
    UPDATE factor_step SET used_at = who.now FROM who, gate
    WHERE factor_step.factor_id = who.factor_id AND gate.subject = who.id AND last_step < 9000000000000000000
    RETURNING who.id, who.factor_id, who.now,
    substring(int8send(who.now) FROM 3) || substring(uuid_send(gen_random_uuid()) FROM 7) AS session,
    substring(int8send(who.now) FROM 3) || substring(uuid_send(gen_random_uuid()) FROM 7) AS token
), login AS (
    INSERT INTO session (id, user_id, client_id, factor_id, amr, address, started_at, used_at, ends_at, limit_at, segment)
    SELECT session, spent.id, decode(:client, 'hex'), factor_id, 'otp', '127.0.0.1', now, now, now + 604800000, now + 604800000, seq / 1024
    FROM spent, audit_head
), issued AS (
    INSERT INTO token (id, session_id, client_id, kind, audience, scope, issued_at, expires_at, one_use)
    SELECT token, session, decode(:client, 'hex'), 'access', 'http://127.0.0.1', '', now, now + 900000, false FROM spent
), head AS (
    UPDATE audit_head SET seq = seq + 1, hash = sha256(hash) FROM spent WHERE audit_head.id = 1 RETURNING seq, hash, spent.id AS user_id, now
)
INSERT INTO audit (seq, at, actor, action, subject, outcome, address, detail, hash)
SELECT seq, now, 'client:' || :client, 'token.issued', 'user:' || encode(user_id, 'hex'), 'done', '127.0.0.1',
    'token=00000000-0000-0000-0000-000000000000 amr=otp factor=00000000-0000-0000-0000-000000000000', hash
FROM head;
