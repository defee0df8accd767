/**
 * A page in sections, each between two marks, so that every benchmark writes its own and what people
 * wrote around them stays.
 */

const begin = (name: string): string => `<!-- ${name}: written by npm run bench -- ${name} -->`;
const end = (name: string): string => `<!-- ${name}: end -->`;

/** The page with the section's text in its place, or at the end when the page has no such section. */
export const replaceSection = (page: string, name: string, text: string): string => {
  const section = `${begin(name)}\n${text.trim()}\n${end(name)}`;
  const from = page.indexOf(begin(name));
  const to = page.indexOf(end(name), from);
  if (from < 0 || to < 0) return `${page.trimEnd()}\n\n${section}\n`;
  return page.slice(0, from) + section + page.slice(to + end(name).length);
};
