create table if not exists {table} (
    node            text        not null,
    seq             bigint      not null,
    boot            text        not null,
    time            timestamptz not null,
    kind            text        not null,
    app             text,
    user_name       text,
    component       text,
    request_id      text,
    job_instance_id bigint,
    hash            text        not null,
    record          jsonb       not null,
    line            text        not null,
    primary key (node, seq)
);
create index if not exists {index}_time on {table} (time);
create index if not exists {index}_app on {table} (app, time);
create index if not exists {index}_user on {table} (user_name, time);
create index if not exists {index}_request on {table} (request_id);
create index if not exists {index}_job on {table} (job_instance_id) where job_instance_id is not null;
