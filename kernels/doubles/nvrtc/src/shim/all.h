// Everything a source is compiled behind.
#pragma once
#include "vectors.h"
#include "machine.h"
#include "builtins.h"
#include "warp.h"
#include "formats.h"
#include "mma.h"
#include "async.h"
#include "tile.h"
#include "time.h"
#include "launch.h"
