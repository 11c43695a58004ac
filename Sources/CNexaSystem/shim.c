#include "CNexaSystem.h"
