import { secretForms } from '../secret-forms.ts'

/** Texts that the runner replaces by `***` in what people see, together with their usual encodings. */
export class Masks {
  readonly #secrets = new Set<string>()
  #forms: readonly string[] = []

  constructor(secrets: readonly string[] = []) {
    for (const secret of secrets) this.add(secret)
  }

  /** A text of several lines is masked as a whole and line by line. */
  add(secret: string): void {
    for (const text of [secret, ...secret.split(/[\r\n]+/)]) if (text.trim() !== '') this.#secrets.add(text)
    const forms = [...this.#secrets].flatMap(text => [...secretForms(text).values()])
    this.#forms = [...new Set(forms)].toSorted((a, b) => b.length - a.length)
  }

  apply(text: string): string {
    return this.#forms.reduce((masked, form) => masked.replaceAll(form, '***'), text)
  }

  list(): readonly string[] {
    return [...this.#secrets]
  }
}
