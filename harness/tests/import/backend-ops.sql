CREATE TABLE IF NOT EXISTS test_backend_ops (
  test_time TEXT,
  build_commit TEXT,
  backend_name TEXT,
  op_name TEXT,
  op_params TEXT,
  test_mode TEXT,
  supported INTEGER,
  passed INTEGER,
  error_message TEXT,
  time_us REAL,
  flops REAL,
  bandwidth_gb_s REAL,
  memory_kb INTEGER,
  n_runs INTEGER
);

INSERT INTO test_backend_ops (test_time, build_commit, backend_name, op_name, op_params, test_mode, supported, passed, error_message, time_us, flops, bandwidth_gb_s, memory_kb, n_runs) VALUES ('2026-01-02T03:04:05Z', 'abc1234', 'CUDA0', 'MUL_MAT', 'type_a=mxfp4,type_b=f32,m=4096,n=1,k=14336,bs=[1,1]', 'perf', '1', '1', '', '151.25', '776477000000.0', '0.0', '31000', '6816');
INSERT INTO test_backend_ops (test_time, build_commit, backend_name, op_name, op_params, test_mode, supported, passed, error_message, time_us, flops, bandwidth_gb_s, memory_kb, n_runs) VALUES ('2026-01-02T03:04:06Z', 'abc1234', 'CUDA0', 'CPY', 'type_src=f32,it''s a copy', 'perf', '0', '0', 'not supported', '0', '0', '0', '0', '0');
