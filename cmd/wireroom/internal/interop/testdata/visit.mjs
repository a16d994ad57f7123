// What the scripts have in common that open pages of visitor.html.

/** Opens one in a context, and asks for the client cookie; with a JWT, as its user. Returns the page and its client. */
export async function visit(context, address, jwt) {
  const page = await context.newPage();
  await page.goto(address);
  await page.waitForFunction(() => window.visitor);
  const { client } = await page.evaluate((jwt) => window.visitor.token("POST", jwt), jwt);
  return { page, client };
}

/** Joins, and subscribes to orders with each of the options; with retries, again whenever the connection is lost. */
export const join = (page, subscriptions, retries) =>
  page.evaluate(([subscriptions, retries]) => window.visitor.join(subscriptions, retries), [subscriptions, retries]);
