// A real OpenID provider for one client, where whoever is the `person` signs in without being asked.
// Started by tests/it/harness/openid.rs, which says who that is.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const client = JSON.parse(process.env.CLIENT);
let person = { sub: 'nobody' };
const people = new Map();
// How often each path was asked for.
const asked = {};

let answer = (_request, response) => response.writeHead(503).end();
const server = createServer((request, response) => answer(request, response));
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  const provider = new Provider(issuer, {
    clients: [client],
    jwks: { keys: [{ ...key, kid: 'one', use: 'sig', alg: 'RS256' }] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    // True: claims of scopes are told by the userinfo endpoint only.
    conformIdTokenClaims: process.env.USERINFO === 'true',
    pkce: { required: () => true },
    cookies: { keys: ['of a test'] },
    features: { devInteractions: { enabled: false }, introspection: { enabled: true } },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...people.get(sub) }) }),
  });

  provider.use(async (ctx, next) => {
    if (ctx.path.startsWith('/interaction/')) {
      // What follows answers by itself.
      ctx.respond = false;
      const { prompt, params, session } = await provider.interactionDetails(ctx.req, ctx.res);
      if (prompt.name === 'login') {
        return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: person.sub } });
      }
      const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
      grant.addOIDCScope(params.scope);
      const grantId = await grant.save();
      return provider.interactionFinished(ctx.req, ctx.res, { consent: { grantId } }, { mergeWithLastSubmission: true });
    }
    return next();
  });

  const serve = provider.callback();
  // Access tokens are opaque; one is given here without anybody signing in.
  const accessToken = async (sub) => {
    const grant = new provider.Grant({ accountId: sub, clientId: client.client_id });
    grant.addOIDCScope('openid profile');
    const grantId = await grant.save();
    const known = await provider.Client.find(client.client_id);
    const claims = { accountId: sub, client: known, grantId, gty: 'authorization_code', scope: 'openid profile' };
    return new provider.AccessToken(claims).save();
  };
  const revoke = async (token) => {
    await (await provider.AccessToken.find(token)).destroy();
    return '';
  };
  answer = (request, response) => {
    if (request.url === '/test/asked') return response.end(JSON.stringify(asked));
    const [, what, value] = /^\/test\/(token|revoke)\/(.+)$/.exec(request.url) ?? [];
    if (what) {
      (what === 'token' ? accessToken(value) : revoke(value)).then(
        (text) => response.end(text),
        (error) => response.writeHead(500).end(String(error)),
      );
      return undefined;
    }
    if (request.url !== '/test/person') {
      const path = request.url.split('?')[0];
      asked[path] = (asked[path] ?? 0) + 1;
      return serve(request, response);
    }
    let body = '';
    request.on('data', (chunk) => { body += chunk; });
    request.on('end', () => {
      person = JSON.parse(body);
      people.set(person.sub, person);
      response.writeHead(204).end();
    });
  };
  console.log(`issuer ${issuer}`);
});
