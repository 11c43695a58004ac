// The editor's own interface, with the two headers it leaves to its includer.
#include <stdio.h>
#include <wchar.h>
#include <histedit.h>
