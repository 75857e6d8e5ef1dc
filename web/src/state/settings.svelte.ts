// What a person chose for this browser. Nothing of it says anything about a circle, so it may lie in the browser.

export type Theme = 'auto' | 'light' | 'dark';
export type Notify = 'off' | 'plain' | 'whole';

const KEY = 'hexode-settings';

interface Kept {
  theme: Theme;
  notify: Notify;
  sound: boolean;
}

const DEFAULTS: Kept = { theme: 'auto', notify: 'off', sound: false };

/** Reads what was kept; whatever is not right in it is the default. */
export function read(text: string | null): Kept {
  try {
    const kept = JSON.parse(text ?? '{}') as Partial<Kept>;
    return {
      theme: kept.theme === 'light' || kept.theme === 'dark' ? kept.theme : DEFAULTS.theme,
      notify: kept.notify === 'plain' || kept.notify === 'whole' ? kept.notify : DEFAULTS.notify,
      sound: kept.sound === true,
    };
  } catch {
    return DEFAULTS;
  }
}

class Settings {
  theme = $state<Theme>('auto');
  notify = $state<Notify>('off');
  sound = $state(false);

  begin(): void {
    Object.assign(this, read(localStorage.getItem(KEY)));
    this.apply();
  }

  keep(change: Partial<Kept>): void {
    Object.assign(this, change);
    const { theme, notify, sound } = this;
    localStorage.setItem(KEY, JSON.stringify({ theme, notify, sound }));
    this.apply();
  }

  private apply(): void {
    if (this.theme === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = this.theme;
  }
}

export const settings = new Settings();
