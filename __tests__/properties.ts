import fc from 'fast-check'

/**
 * Property tests try the same values in every run, so that what makes a run fail is in the change that is tested.
 * PROPERTY_SEED=random looks for what no run has tried yet; the nightly run does.
 */
const { PROPERTY_SEED: seed = '1' } = process.env
if (seed !== 'random') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed) })
