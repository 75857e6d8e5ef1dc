import './style/tokens.css';
import './style/base.css';

import { mount } from 'svelte';

import App from './App.svelte';
import { face } from './state/face.svelte';
import { settings } from './state/settings.svelte';

if (import.meta.env.MODE === 'fake') (await import('../mock/install')).install();

settings.begin();
mount(App, { target: document.getElementById('app')! });
void face.begin();
