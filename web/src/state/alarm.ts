// Tells a person who looks elsewhere that something came: as little as he chose.

import type { Message } from '../api/generated';
import { words } from '../words';
import { settings } from './settings.svelte';
import { line, name } from './text';

/** Shows a notification if the page is not looked at and the person wants one. */
export function alarm(message: Message, circle: string, open: () => void): void {
  if (document.visibilityState === 'visible' && document.hasFocus()) return;
  if (settings.sound) chime();
  if (settings.notify === 'off' || !('Notification' in window) || Notification.permission !== 'granted') return;
  const whole = settings.notify === 'whole';
  const notification = new Notification(whole ? name(message.member_name) : words.app, {
    body: whole ? line(message.text ?? '') : words.notify.plain,
    icon: '/icon.svg',
    // A later one of the same conversation takes the place of the earlier.
    tag: `${circle} ${message.conversation}`,
  });
  notification.onclick = () => {
    window.focus();
    open();
    notification.close();
  };
}

/** Two soft tones, made on the spot. */
function chime(): void {
  try {
    const audio = new AudioContext();
    for (const [at, pitch] of [[0, 660], [0.12, 880]] as const) {
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      const start = audio.currentTime + at;
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.0001, start);
      volume.gain.exponentialRampToValueAtTime(0.08, start + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.25);
      tone.connect(volume).connect(audio.destination);
      tone.start(start);
      tone.stop(start + 0.3);
    }
    setTimeout(() => void audio.close(), 1000);
  } catch {
    // A browser without sound is silent.
  }
}
