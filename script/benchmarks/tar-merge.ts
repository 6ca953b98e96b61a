/**
 * Puts two databases of Nix together in an empty third one, those of its tables that are in use: what is in both is
 * taken from `before`, ids of `after` become new ones.
 * @param files paths of SQLite databases without a quote in them
 */
export function mergeSql(files: { readonly before: string; readonly after: string }): string {
  return `
attach database '${files.before}' as before;
attach database '${files.after}' as after;
begin;
create table SchemaMigrations (migration text primary key not null);
create table ValidPaths (
  id integer primary key autoincrement not null,
  path text unique not null,
  hash text not null,
  registrationTime integer not null,
  deriver text,
  narSize integer,
  ultimate integer,
  sigs text,
  ca text
);
create table Refs (
  referrer integer not null,
  reference integer not null,
  primary key (referrer, reference),
  foreign key (referrer) references ValidPaths (id) on delete cascade,
  foreign key (reference) references ValidPaths (id) on delete restrict
);
create table DerivationOutputs (
  drv integer not null,
  id text not null,
  path text not null,
  primary key (drv, id),
  foreign key (drv) references ValidPaths (id) on delete cascade
);
insert into ValidPaths select * from before.ValidPaths;
insert or ignore into ValidPaths (path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca)
  select path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca from after.ValidPaths;
create temporary table Ids as
  select theirs.id as old, ours.id as new from after.ValidPaths theirs join main.ValidPaths ours using (path);
create unique index temp.IndexIds on Ids (old);
insert into Refs select * from before.Refs;
insert or ignore into Refs
  select a.new, b.new from after.Refs r join Ids a on a.old = r.referrer join Ids b on b.old = r.reference;
insert into DerivationOutputs select * from before.DerivationOutputs;
insert or ignore into DerivationOutputs
  select i.new, d.id, d.path from after.DerivationOutputs d join Ids i on i.old = d.drv;
create index IndexReferrer on Refs (referrer);
create index IndexReference on Refs (reference);
create index IndexDerivationOutputs on DerivationOutputs (path);
create trigger DeleteSelfRefs before delete on ValidPaths begin
  delete from Refs where referrer = old.id and reference = old.id;
end;
commit;
detach database before;
detach database after;
`
}
