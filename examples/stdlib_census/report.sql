select (select count(*) from pgqueue_demo.source_file)                    as files,
       (select count(*) from pgqueue_demo.counted)                        as counted,
       (select sum(functions) from pgqueue_demo.counted)                  as functions,
       (select sum(classes) from pgqueue_demo.counted)                    as classes,
       (select count(*) from pgqueue_demo.counted where attempt > 1)
           + (select count(*) from pgqueue.dead_letters where queue = 'demo_census' and read_ct > 1) as redelivered,
       (select count(*) from pgqueue.dead_letters where queue = 'demo_census') as dead,
       (select count(*) from pgqueue.messages where queue = 'demo_census') as waiting
