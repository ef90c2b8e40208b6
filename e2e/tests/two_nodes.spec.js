// Two nodes on one PostgreSQL, each request to the other one: nothing of the journey lives in one process.
import { carryOut, enrol, enterCode, expectTitle, openTask, row, signIn, signInWithCode, signOut, suspend } from '../support/journey.js';
import { expect, test } from '../support/test.js';

test('the journey passes with requests alternating between two nodes', async ({ page, cluster, labels, phone, otherPerson }) => {
  const service = await cluster({ nodes: 2, postgres: true });
  const [master, general] = [service.user('master'), service.user('general')];
  const app = phone();

  const generalsPage = await otherPerson();
  const { code } = await enrol(generalsPage, labels, service, general, app);
  await signOut(generalsPage, labels);

  await test.step('a used code is refused on either node', async () => {
    await signIn(generalsPage, labels, service.url, general);
    for (let time = 0; time < 2; time += 1) {
      await enterCode(generalsPage, labels, code);
      await expect(generalsPage.getByRole('alert')).toContainText(labels.refusals.codeUsed);
    }
    await enterCode(generalsPage, labels, await app.code());
    await expectTitle(generalsPage, labels.top.title);
    await signOut(generalsPage, labels);
  });

  await test.step('wrong codes count together', () => suspend(generalsPage, labels, service.url, general));

  await enrol(page, labels, service, master, phone());
  await openTask(page, labels, labels.manage.release);
  await carryOut(page, labels, { actor: master, targets: [general], button: labels.manage.releaseButton });
  await expect(row(page, general)).toContainText(labels.manage.released);
  await signInWithCode(generalsPage, labels, service.url, general, app);
  await service.stop();

  const handed = [...(service.proxy?.handed.values() ?? [])];
  expect(handed).toHaveLength(2);
  expect(Math.abs(handed[0] - handed[1]), 'the requests alternated').toBeLessThanOrEqual(1);
  const mails = await service.mails.all();
  const ids = mails.map((mail) => mail.message_id);
  expect(new Set(ids).size, 'no mail was sent twice').toBe(ids.length);
});
