// The server of Anam's documentation, grown up as most would: users are verified by their tenant's key, persona and preferences come from
// Postgres, each issued token leaves a row. One process, as `node server.js` is.
import { createPublicKey } from 'node:crypto';
import express from 'express';
import jwt from 'jsonwebtoken';
import pg from 'pg';

const { PORT, PGHOST, ANAM_BASE_URL, ANAM_API_KEY, TENANTS } = process.env;

// [{tenant, issuer, audience}]; each issuer's keys are fetched once.
const keys = new Map();
for (const { tenant, issuer, audience } of JSON.parse(TENANTS)) {
  const answer = await fetch(`${issuer}/jwks.json`);
  for (const jwk of (await answer.json()).keys) {
    if (jwk.alg === 'RS256') {
      keys.set(jwk.kid, { tenant, issuer, audience, key: createPublicKey({ key: jwk, format: 'jwk' }) });
    }
  }
}

const pool = new pg.Pool({ host: PGHOST, user: 'postgres', database: 'express', max: 16 });

const LOAD = `
  select p.name, p.prompt, p.max_seconds,
         coalesce(u.display_name, 'there') as display_name,
         coalesce(u.avatar_id, p.avatar_id) as avatar_id,
         coalesce(u.voice_id, p.voice_id) as voice_id,
         coalesce(u.llm_id, p.llm_id) as llm_id,
         coalesce(u.language_code, p.language_code) as language_code
  from personas p
  left join preferences u on u.tenant = p.tenant and u.subject = $3
  where p.tenant = $1 and p.context = $2`;
const RECORD = `
  insert into sessions (tenant, subject, context, status, anam_status, took_ms)
  values ($1, $2, $3, $4, $5, $6)`;

function authenticate(request, response, next) {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ');
  try {
    if (scheme !== 'Bearer' || !token) throw new Error('no token');
    const { tenant, issuer, audience, key } = keys.get(jwt.decode(token, { complete: true }).header.kid);
    const claims = jwt.verify(token, key, { algorithms: ['RS256'], issuer, audience });
    request.user = { tenant, subject: claims.sub };
  } catch {
    return response.status(401).json({ error: 'Authentication failed' });
  }
  next();
}

const render = (prompt, values) =>
  prompt.replace(/\{\{\s*(\w+)\.(\w+)\s*\}\}/g, (_, group, name) => values[group]?.[name] ?? '');

async function sessionToken(request, response) {
  const begun = performance.now();
  const { tenant, subject } = request.user;
  const { context, metadata = {} } = request.body ?? {};
  const { rows: [persona] } = await pool.query(LOAD, [tenant, context, subject]);
  if (!persona) return response.status(400).json({ error: 'Invalid configuration' });

  let token;
  let status = 0;
  try {
    const answer = await fetch(`${ANAM_BASE_URL}/v1/auth/session-token`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${ANAM_API_KEY}` },
      body: JSON.stringify({
        clientLabel: `${tenant}-${context}`,
        personaConfig: {
          name: persona.name,
          avatarId: persona.avatar_id,
          voiceId: persona.voice_id,
          llmId: persona.llm_id,
          languageCode: persona.language_code,
          maxSessionLengthSeconds: persona.max_seconds,
          systemPrompt: render(persona.prompt, {
            preferences: { displayName: persona.display_name, languageCode: persona.language_code },
            metadata,
          }),
        },
      }),
      signal: AbortSignal.timeout(8000),
    });
    status = answer.status;
    if (answer.ok) token = (await answer.json()).sessionToken;
  } catch {
    // No answer: recorded as one below.
  }

  const took = Math.round(performance.now() - begun);
  await pool.query(RECORD, [tenant, subject, context, token ? 'issued' : 'failed', status, took]);
  if (!token) return response.status(500).json({ error: status ? 'Service unavailable' : 'Network error' });
  response.json({ sessionToken: token });
}

const app = express();
app.disable('x-powered-by');
app.get('/healthz', (_request, response) => response.json({ ok: true }));
app.post('/api/session-token', authenticate, express.json({ limit: '64kb' }), sessionToken);
app.use((error, _request, response, _next) => response.status(error.status ?? 500).json({ error: 'Service unavailable' }));
app.listen(Number(PORT), '127.0.0.1');
