using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Platform.Worker.Engines.Kernels;

/// <summary>Which instructions the kernels use. Every kind computes the same bits.</summary>
internal enum SimdKind
{
    /// <summary>No vector instructions: the twin that tests compare with.</summary>
    Scalar,

    /// <summary>256 bits (AVX2 with FMA; two 128-bit halves on Arm).</summary>
    Vector256,

    /// <summary>512 bits (AVX-512).</summary>
    Vector512,
}

/// <summary>The choice among <see cref="SimdKind"/>.</summary>
internal static class Simd
{
    /// <summary>The widest kind that this machine runs well.</summary>
    public static SimdKind Best { get; } =
        Vector512.IsHardwareAccelerated && Avx512F.IsSupported ? SimdKind.Vector512
        : (Vector256.IsHardwareAccelerated && Fma.IsSupported) || AdvSimd.IsSupported ? SimdKind.Vector256
        : SimdKind.Scalar;

    /// <summary>The kind in words, for people.</summary>
    public static string Describe(SimdKind kind) => kind switch
    {
        SimdKind.Vector512 => "AVX-512",
        SimdKind.Vector256 => Fma.IsSupported ? "AVX2" : "AdvSimd",
        _ => "scalar",
    };
}

/// <summary>Thirty-two floats side by side: the unit of every kernel.</summary>
/// <remarks>A sum over a row adds element i into lane i mod 32 by fused multiply-add, and the lanes in one fixed tree at the end. All kinds do exactly that,
/// so a model's tokens do not depend on the machine's vector width, on the batch or on the number of threads.</remarks>
internal unsafe interface ILanes<TSelf>
    where TSelf : struct, ILanes<TSelf>
{
    static abstract TSelf Load(float* source);

    /// <summary>Thirty-two bf16 values, widened: a bf16 is the upper half of a float.</summary>
    static abstract TSelf LoadBf16(ushort* source);

    static abstract TSelf Fill(float value);

    static abstract TSelf MultiplyAdd(TSelf left, TSelf right, TSelf sum);

    static abstract void Store(TSelf value, float* target);

    static abstract float Sum(TSelf value);
}

[StructLayout(LayoutKind.Sequential)]
internal readonly unsafe struct Lanes512(Vector512<float> low, Vector512<float> high) : ILanes<Lanes512>
{
    private readonly Vector512<float> _low = low;
    private readonly Vector512<float> _high = high;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Load(float* source) => new(Vector512.Load(source), Vector512.Load(source + 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadBf16(ushort* source) => new(
        Vector512.ShiftLeft(Avx512F.ConvertToVector512UInt32(Vector256.Load(source)), 16).AsSingle(),
        Vector512.ShiftLeft(Avx512F.ConvertToVector512UInt32(Vector256.Load(source + 16)), 16).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Fill(float value) => new(Vector512.Create(value), Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 MultiplyAdd(Lanes512 left, Lanes512 right, Lanes512 sum) => new(
        Vector512.FusedMultiplyAdd(left._low, right._low, sum._low),
        Vector512.FusedMultiplyAdd(left._high, right._high, sum._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes512 value, float* target)
    {
        value._low.Store(target);
        value._high.Store(target + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes512 value)
    {
        var sixteen = value._low + value._high;
        return LaneTree.Sum(sixteen.GetLower() + sixteen.GetUpper());
    }
}

[StructLayout(LayoutKind.Sequential)]
internal readonly unsafe struct Lanes256(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) : ILanes<Lanes256>
{
    private readonly Vector256<float> _a = a;
    private readonly Vector256<float> _b = b;
    private readonly Vector256<float> _c = c;
    private readonly Vector256<float> _d = d;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Load(float* source) =>
        new(Vector256.Load(source), Vector256.Load(source + 8), Vector256.Load(source + 16), Vector256.Load(source + 24));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadBf16(ushort* source) => new(Widen(source), Widen(source + 8), Widen(source + 16), Widen(source + 24));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Fill(float value)
    {
        var all = Vector256.Create(value);
        return new(all, all, all, all);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 MultiplyAdd(Lanes256 left, Lanes256 right, Lanes256 sum) => new(
        Vector256.FusedMultiplyAdd(left._a, right._a, sum._a),
        Vector256.FusedMultiplyAdd(left._b, right._b, sum._b),
        Vector256.FusedMultiplyAdd(left._c, right._c, sum._c),
        Vector256.FusedMultiplyAdd(left._d, right._d, sum._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes256 value, float* target)
    {
        value._a.Store(target);
        value._b.Store(target + 8);
        value._c.Store(target + 16);
        value._d.Store(target + 24);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes256 value) => LaneTree.Sum(value._a + value._c + (value._b + value._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Widen(ushort* source)
    {
        var (low, high) = Vector128.Widen(Vector128.Load(source));
        return Vector256.ShiftLeft(Vector256.Create(low, high), 16).AsSingle();
    }
}

internal unsafe struct LanesScalar : ILanes<LanesScalar>
{
    private const int Count = 32;

    private fixed float _lane[Count];

    public static LanesScalar Load(float* source)
    {
        LanesScalar result = default;
        for (var i = 0; i < Count; i++)
        {
            result._lane[i] = source[i];
        }

        return result;
    }

    public static LanesScalar LoadBf16(ushort* source)
    {
        LanesScalar result = default;
        for (var i = 0; i < Count; i++)
        {
            result._lane[i] = Bf16.ToSingle(source[i]);
        }

        return result;
    }

    public static LanesScalar Fill(float value)
    {
        LanesScalar result = default;
        for (var i = 0; i < Count; i++)
        {
            result._lane[i] = value;
        }

        return result;
    }

    public static LanesScalar MultiplyAdd(LanesScalar left, LanesScalar right, LanesScalar sum)
    {
        LanesScalar result = default;
        for (var i = 0; i < Count; i++)
        {
            result._lane[i] = MathF.FusedMultiplyAdd(left._lane[i], right._lane[i], sum._lane[i]);
        }

        return result;
    }

    public static void Store(LanesScalar value, float* target)
    {
        for (var i = 0; i < Count; i++)
        {
            target[i] = value._lane[i];
        }
    }

    public static float Sum(LanesScalar value)
    {
        for (var half = Count / 2; half > 0; half /= 2)
        {
            for (var i = 0; i < half; i++)
            {
                value._lane[i] += value._lane[i + half];
            }
        }

        return value._lane[0];
    }
}

internal static class LaneTree
{
    /// <summary>Eight lanes to four, two and one: halves onto halves, as the scalar twin does.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> eight)
    {
        var four = eight.GetLower() + eight.GetUpper();
        var two = four + Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1));
        return two.ToScalar() + two.GetElement(1);
    }
}
