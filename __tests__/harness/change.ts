import type { Machine } from './machine.ts'
import { expect } from './nix-by-hand.ts'

/** Commits a change of the app to a checkout of the sample `redis`. */
export async function changeApp(workspace: string, machine: Machine): Promise<void> {
  await expect(machine.run(['sh', '-c', 'echo "# changed" >> src/app.sh'], { cwd: workspace }))
  const author = ['-c', 'user.name=x', '-c', 'user.email=x@x']
  await expect(machine.run(['git', ...author, 'commit', '-qam', 'x'], { cwd: workspace }))
}
