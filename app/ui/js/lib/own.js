// Names from outside (steps, variables, fields of a schema) may be "constructor" or "__proto__", which every object answers to.

/** What an object holds under a name by itself; undefined for what it only inherits, and of no object. */
export function own(object, name) {
  return object !== null && object !== undefined && Object.hasOwn(object, name) ? object[name] : undefined;
}
