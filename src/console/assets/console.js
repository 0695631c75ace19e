// What pages do better with a script. Each works without.

// Moments in the reader's zone; the other zone on hover.
const moments = (root) => {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const lang = document.documentElement.lang;
    time.title = `${at.toLocaleString(lang, { timeZone: "UTC", dateStyle: "medium", timeStyle: "medium" })} UTC`;
    time.textContent = at.toLocaleString(lang, { dateStyle: "medium", timeStyle: "short" });
  }
};

const prepare = (root) => {
  moments(root);
  for (const button of root.querySelectorAll("[data-without-script]")) button.hidden = true;
  // A choice that sends its form.
  for (const choice of root.querySelectorAll("[data-sends]")) choice.addEventListener("change", () => choice.form.requestSubmit());
};

prepare(document);

// On a narrow screen the menu is closed until it is asked for.
const menu = document.querySelector(".menu");
if (menu) {
  const narrow = matchMedia("(max-width: 60rem)");
  const fit = () => { menu.open = !narrow.matches; };
  narrow.addEventListener("change", fit);
  fit();
}
