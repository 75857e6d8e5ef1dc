import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

export default {
  preprocess: vitePreprocess(),
  compilerOptions: {
    runes: true,
    // From what is in the file and not from where it lies: the same sources make the same bundle everywhere.
    cssHash: ({ hash, css }) => `s${hash(css)}`,
  },
};
