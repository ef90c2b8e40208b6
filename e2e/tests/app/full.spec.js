// R60: ten tokens, and not eleven.
import { Cluster } from '../../support/cluster.js';
import { expect, test } from '../../support/app_test.js';

const TOKENS_MAX = 10;

// Ten people ask for a token and set it up.
test.setTimeout(400_000);

test('r60 ten tokens fit, and the eleventh is refused before any request', async ({ words, order, app }, info) => {
  const service = new Cluster(info.outputPath('cluster'));
  const [general] = service.users.filter(({ role }) => role === 'general');
  service.users = [
    service.user('master'),
    ...Array.from({ length: TOKENS_MAX + 1 }, (_, at) => ({ ...general, login_id: `general-${at}` })),
  ];
  try {
    await service.start({ nodes: 1, postgres: false });
    const people = service.users.filter(({ role }) => role === 'general');
    await app.open(service.url);
    for (const [at, person] of people.slice(0, TOKENS_MAX - 1).entries()) {
      const typed = await order(person, service);
      if (at > 0) await app.link(words.add).click();
      await app.add(typed);
    }
    const last = await order(people[TOKENS_MAX - 1], service);
    const eleventh = await order(people[TOKENS_MAX], service);

    // One tab is open with its form before the other one fills the last place.
    const other = await app.another();
    await other.open(service.url, 'add');
    await app.link(words.add).click();
    await app.add(last);
    await expect(app.cards).toHaveCount(TOKENS_MAX);
    const codes = await Promise.all((await app.cards.all()).map((card) => app.code(card)));
    expect(new Set(codes).size, 'each has a code of its own').toBeGreaterThan(TOKENS_MAX - 2);

    await test.step('the form says so before anything is typed', async () => {
      await app.link(words.add).click();
      await expect(app.main).toContainText(words.full);
      await expect(app.serviceId).toHaveCount(0);
    });
    await test.step('and the form that was open before sends nothing', async () => {
      await other.send(eleventh);
      await expect(other.page.getByRole('alert')).toContainText(words.full);
      expect(other.asked.filter((asked) => asked.startsWith('/activation/'))).toEqual([]);
    });
    await test.step('who removes one may add it', async () => {
      await app.link(words.back).click();
      await app.cards.first().getByRole('link').first().click();
      await app.button(words.token.remove).click();
      await app.page.getByRole('dialog').getByRole('button', { name: words.token.removeYes, exact: true }).click();
      await expect(app.cards).toHaveCount(TOKENS_MAX - 1);
      await app.link(words.add).click();
      await app.add(eleventh);
      await expect(app.cards).toHaveCount(TOKENS_MAX);
    });
  } finally {
    await service.stop();
  }
});
