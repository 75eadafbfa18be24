select pgqueue.send__{queue}(:payload::jsonb), pgqueue.is_awaited__{queue}() as awaited \gset
\if :awaited
select set_config('synchronous_commit', 'off', true), pgqueue.ring__{queue}();
\endif
