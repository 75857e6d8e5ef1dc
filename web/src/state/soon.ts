// Joins what is asked for many times in a short while into one doing.

interface Task {
  act: () => Promise<unknown>;
  /** Asked for again while it ran. */
  again: boolean;
  timer: ReturnType<typeof setTimeout> | null;
}

/** Runs each named task at most once at a time, a while after it was first asked for. */
export class Soon {
  private readonly tasks = new Map<string, Task>();

  constructor(private readonly failed: (error: unknown) => void = () => {}) {}

  /** Does `act` within `ms`; asked for again before that, it is the same doing; asked for while it runs, one more. */
  run(name: string, ms: number, act: () => Promise<unknown>): void {
    const known = this.tasks.get(name);
    if (known) {
      known.act = act;
      known.again = known.timer === null;
      return;
    }
    const task: Task = { act, again: false, timer: null };
    this.tasks.set(name, task);
    task.timer = setTimeout(() => void this.do(name, ms, task), ms);
  }

  clear(): void {
    for (const task of this.tasks.values()) if (task.timer) clearTimeout(task.timer);
    this.tasks.clear();
  }

  private async do(name: string, ms: number, task: Task): Promise<void> {
    task.timer = null;
    try {
      await task.act();
    } catch (error) {
      this.failed(error);
    }
    if (this.tasks.get(name) !== task) return;
    this.tasks.delete(name);
    if (task.again) this.run(name, ms, task.act);
  }
}
