// The words that every kernel here is written in: fixed-width integers, lanes, shared memory, and what an architecture has.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char i8;
typedef short i16;
typedef int i32;
typedef long long i64;

#define DEVICE static __device__ __forceinline__
#define DEVICE_MEMBER __device__ __forceinline__

#define SPARK_INF __int_as_float(0x7f800000)
#define SPARK_NAN __int_as_float(0x7fffffff)

// `u8* name`: the shared memory whose size the launch gives, aligned to 1024 bytes as swizzled tiles want it.
#if defined(SPARK_CUDA_ON_CPU)
#define SHARED_DYNAMIC(name) u8* const name = (u8*)spark::dynamic_shared()
#else
#define SHARED_DYNAMIC(name) extern __shared__ __align__(1024) u8 name[]
#endif

// What the tensor cores of the architecture compiled for can do. FP4 is there only for exact architectures (sm_120a, sm_121a)
// and their families, wgmma only for sm_90a; the macros that say so are NVIDIA's.
#define SPARK_HAS_E4M3_MMA (__CUDA_ARCH__ >= 890)
#define SPARK_HAS_TMA (__CUDA_ARCH__ >= 900)
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define SPARK_HAS_WGMMA 1
#else
#define SPARK_HAS_WGMMA 0
#endif
#if defined(__CUDA_ARCH_FAMILY_SPECIFIC__) && __CUDA_ARCH_FAMILY_SPECIFIC__ >= 1200
#define SPARK_HAS_FP4_MMA 1
#else
#define SPARK_HAS_FP4_MMA 0
#endif
// Conversions to and from E2M1 in one instruction.
#if defined(__CUDA_ARCH_FAMILY_SPECIFIC__) && __CUDA_ARCH_FAMILY_SPECIFIC__ >= 1000
#define SPARK_HAS_FP4_CVT 1
#else
#define SPARK_HAS_FP4_CVT 0
#endif

// The linear number of a thread of its block: x runs fastest.
DEVICE u32 thread_rank() { return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z); }
DEVICE u32 lane_id() { return thread_rank() & 31; }
DEVICE u32 warp_id() { return thread_rank() >> 5; }

template <class T> DEVICE T ceil_div(T a, T b) { return (a + b - 1) / b; }

// The 32-bit address of shared memory that PTX wants.
DEVICE u32 shared_address(const void* shared) { return (u32)__cvta_generic_to_shared(shared); }
