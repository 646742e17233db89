package main

import (
	"testing"
	"testing/fstest"
)

func TestCgroupLimit(t *testing.T) {
	f := func(name string, want int64, files map[string]string) {
		t.Helper()
		root := fstest.MapFS{}
		for path, content := range files {
			root[path] = &fstest.MapFile{Data: []byte(content)}
		}
		got, ok := cgroupLimit(root)
		if got != want || ok != (want > 0) {
			t.Errorf("%s: %d %v, want %d", name, got, ok, want)
		}
	}
	f("no control groups", 0, nil)
	f("in a container", 268435456, map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "268435456\n"})
	f("no limit", 0, map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"})
	f("a service in a slice with less", 1000, map[string]string{
		"proc/self/cgroup": "0::/system.slice/upid.service\n", "sys/fs/cgroup/system.slice/upid.service/memory.max": "2000\n",
		"sys/fs/cgroup/system.slice/memory.max": "1000\n",
	})
	f("its own is less", 500, map[string]string{
		"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "500\n", "sys/fs/cgroup/a/memory.max": "1000\n",
	})
	f("version 1", 4096, map[string]string{
		"proc/self/cgroup": "12:cpu,cpuacct:/c\n5:memory:/docker/x\n1:name=systemd:/\n", "sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": "4096\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
	})
	f("version 1 in a container, where the path is another's", 8192, map[string]string{
		"proc/self/cgroup": "5:memory:/docker/x\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "8192\n",
	})
	f("garbage", 0, map[string]string{"proc/self/cgroup": "garbage\n:::\n0::/\n5:memory\n", "sys/fs/cgroup/memory.max": "-1"})
}
