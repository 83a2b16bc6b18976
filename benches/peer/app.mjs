// The same command and the same click as a usual Bolt app: two processes, one pool each, one statement a request.
// No row level security, no permission, no second angle, no state, no audit: the least that answers.
import cluster from 'node:cluster';
import bolt from '@slack/bolt';
import pg from 'pg';

const PROCESSES = 2;

const ACCOUNT = `
  SELECT a.account_id, a.name, a.arr_minor, a.currency, a.renewal_date, d.health, d.band, d.change, t.body
    FROM tandem.account a
    JOIN directory.organisation o USING (org_id)
    LEFT JOIN tandem.diagnosis d ON d.org_id = a.org_id AND d.account_id = a.account_id AND d.date = o.diagnosed_on
    LEFT JOIN tandem.diagnosis_detail t ON t.org_id = d.org_id AND t.detail_on = d.detail_on AND t.account_id = d.account_id AND t.detail_id = d.detail_id
   WHERE a.org_id = $1 AND a.name_key = $2`;
const CLICK = 'INSERT INTO bench.click (team_id, user_id, value, at) VALUES ($1, $2, $3, now())';

function card(account) {
  // The diagnosis is stored as text.
  const diagnosis = JSON.parse(account.body ?? '{}');
  const causes = (diagnosis.causes ?? []).map((cause) => `• ${cause.headline}`).join('\n');
  const text = `${account.name}: health ${account.health}, ${account.band}`;
  return {
    response_type: 'ephemeral',
    text,
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: account.name } },
      { type: 'section', text: { type: 'mrkdwn', text } },
      { type: 'section', text: { type: 'mrkdwn', text: causes || 'Nothing stands out.' } },
      { type: 'context', elements: [{ type: 'mrkdwn', text: `Renews ${account.renewal_date?.toISOString().slice(0, 10)}` }] },
    ],
  };
}

async function work() {
  const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 8 });
  const app = new bolt.App({
    signingSecret: process.env.SLACK_SIGNING_SECRET,
    endpoints: ['/slack/commands', '/slack/interactions'],
    authorize: async () => ({ botToken: 'xoxb-none', botId: 'B0BOT', botUserId: 'U0BOT' }),
    logLevel: bolt.LogLevel.ERROR,
  });
  app.command('/account', async ({ command, ack }) => {
    const { rows } = await pool.query({
      name: 'account',
      text: ACCOUNT,
      values: [process.env.BENCH_ORG, command.text.trim().toLowerCase()],
    });
    await ack(rows.length === 1 ? card(rows[0]) : `No account "${command.text}".`);
  });
  app.action('acknowledge', async ({ action, body, ack }) => {
    await pool.query({ name: 'click', text: CLICK, values: [body.team.id, body.user.id, action.value] });
    await ack();
  });
  await app.start(Number(process.env.PORT));
}

if (cluster.isPrimary) {
  for (let i = 0; i < PROCESSES; i += 1) cluster.fork();
  process.on('SIGTERM', () => {
    for (const worker of Object.values(cluster.workers)) worker.kill();
    process.exit(0);
  });
} else {
  await work();
}
