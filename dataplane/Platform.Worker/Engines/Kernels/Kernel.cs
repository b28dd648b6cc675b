using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Platform.Worker.Engines.Kernels;

/// <summary>The loops of a decoder over raw memory. No argument is checked: callers own the shapes.</summary>
internal abstract unsafe class Kernel
{
    /// <summary>The kernel for a kind; kinds that this machine lacks run slowly but right, except <see cref="SimdKind.Vector512"/>, which needs AVX-512.</summary>
    public static Kernel For(SimdKind kind) => kind switch
    {
        SimdKind.Vector512 => new Kernel<Lanes512>(kind),
        SimdKind.Vector256 => new Kernel<Lanes256>(kind),
        _ => new Kernel<LanesScalar>(kind),
    };

    /// <summary>The instructions in use.</summary>
    public abstract SimdKind Kind { get; }

    /// <summary><c>y[r, o] = sum over c of x[r, c] * w[o, c]</c> for every row r and for o in [<paramref name="outputBegin"/>, <paramref name="outputEnd"/>).</summary>
    /// <param name="weights">Row-major [outputs, columns].</param>
    /// <param name="bf16">True: weights are bf16; false: float.</param>
    /// <param name="columns">Columns of x and w.</param>
    /// <param name="x">Row-major [rows, columns].</param>
    /// <param name="rows">Rows of x and y.</param>
    /// <param name="y">Row-major [rows, yStride].</param>
    /// <param name="yStride">Elements from one row of y to the next.</param>
    /// <param name="outputBegin">First output.</param>
    /// <param name="outputEnd">One past the last output.</param>
    public abstract void Multiply(byte* weights, bool bf16, int columns, float* x, int rows, float* y, int yStride, int outputBegin, int outputEnd);

    /// <summary>Sum of products.</summary>
    public abstract float Dot(float* left, float* right, int length);

    /// <summary><c>target[c] = sum over r of factors[r] * rows[r, c]</c>, the sum in the order of r.</summary>
    /// <param name="rows">Row-major [count, length].</param>
    /// <param name="factors">One per row.</param>
    /// <param name="count">Rows.</param>
    /// <param name="length">Columns.</param>
    /// <param name="target">Receives length sums.</param>
    public abstract void WeightedSum(float* rows, float* factors, int count, int length, float* target);
}

/// <inheritdoc/>
internal sealed unsafe class Kernel<TLanes>(SimdKind kind) : Kernel
    where TLanes : struct, ILanes<TLanes>
{
    private const int LaneCount = 32;

    public override SimdKind Kind => kind;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Multiply(byte* weights, bool bf16, int columns, float* x, int rows, float* y, int yStride, int outputBegin, int outputEnd)
    {
        if (bf16)
        {
            Multiply<Bf16Weights>(weights, columns, x, rows, y, yStride, outputBegin, outputEnd);
        }
        else
        {
            Multiply<FloatWeights>(weights, columns, x, rows, y, yStride, outputBegin, outputEnd);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override float Dot(float* left, float* right, int length)
    {
        var sum = TLanes.Fill(0);
        var i = 0;
        for (; i <= length - LaneCount; i += LaneCount)
        {
            sum = TLanes.MultiplyAdd(TLanes.Load(left + i), TLanes.Load(right + i), sum);
        }

        var total = TLanes.Sum(sum);
        for (; i < length; i++)
        {
            total = MathF.FusedMultiplyAdd(left[i], right[i], total);
        }

        return total;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void WeightedSum(float* rows, float* factors, int count, int length, float* target)
    {
        var c = 0;
        for (; c <= length - LaneCount; c += LaneCount)
        {
            var sum = TLanes.Fill(0);
            var row = rows + c;
            for (var r = 0; r < count; r++, row += length)
            {
                sum = TLanes.MultiplyAdd(TLanes.Fill(factors[r]), TLanes.Load(row), sum);
            }

            TLanes.Store(sum, target + c);
        }

        for (; c < length; c++)
        {
            var sum = 0f;
            for (var r = 0; r < count; r++)
            {
                sum = MathF.FusedMultiplyAdd(factors[r], rows[((nint)r * length) + c], sum);
            }

            target[c] = sum;
        }
    }

    /// <summary>Several rows: each weight is widened once for four rows. One row: four outputs at a time keep enough additions in flight. The sums are the same either way.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<TWeights>(byte* weights, int columns, float* x, int rows, float* y, int yStride, int outputBegin, int outputEnd)
        where TWeights : struct, IWeights
    {
        var rowBytes = (nint)columns * TWeights.WidthBytes;
        var fours = rows & ~3;
        for (var o = outputBegin; o < outputEnd && fours > 0; o++)
        {
            // All rows of x per row of weights, so that weights come from memory once.
            for (var four = 0; four < fours; four += 4)
            {
                FourRows<TWeights>(weights + (o * rowBytes), columns, x + ((nint)four * columns), y + ((nint)four * yStride) + o, yStride);
            }
        }

        for (var r = fours; r < rows; r++)
        {
            var row = x + ((nint)r * columns);
            var target = y + ((nint)r * yStride);
            var o = outputBegin;
            for (; o <= outputEnd - 4; o += 4)
            {
                FourOutputs<TWeights>(weights + (o * rowBytes), rowBytes, columns, row, target + o);
            }

            for (; o < outputEnd; o++)
            {
                OneOutput<TWeights>(weights + (o * rowBytes), columns, row, target + o);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourOutputs<TWeights>(byte* weights, nint rowBytes, int columns, float* x, float* y)
        where TWeights : struct, IWeights
    {
        byte* w0 = weights, w1 = w0 + rowBytes, w2 = w1 + rowBytes, w3 = w2 + rowBytes;
        TLanes s0 = TLanes.Fill(0), s1 = s0, s2 = s0, s3 = s0;
        nint c = 0;
        for (; c <= columns - LaneCount; c += LaneCount)
        {
            if (Sse.IsSupported)
            {
                // Rows are too short for the processor to foresee the next four by itself.
                var ahead = weights + (4 * rowBytes) + (4 * c * TWeights.WidthBytes);
                Sse.Prefetch1(ahead);
                Sse.Prefetch1(ahead + 64);
                Sse.Prefetch1(ahead + 128);
                Sse.Prefetch1(ahead + 192);
            }

            var values = TLanes.Load(x + c);
            s0 = TLanes.MultiplyAdd(TWeights.Load<TLanes>(w0, c), values, s0);
            s1 = TLanes.MultiplyAdd(TWeights.Load<TLanes>(w1, c), values, s1);
            s2 = TLanes.MultiplyAdd(TWeights.Load<TLanes>(w2, c), values, s2);
            s3 = TLanes.MultiplyAdd(TWeights.Load<TLanes>(w3, c), values, s3);
        }

        float t0 = TLanes.Sum(s0), t1 = TLanes.Sum(s1), t2 = TLanes.Sum(s2), t3 = TLanes.Sum(s3);
        for (; c < columns; c++)
        {
            t0 = MathF.FusedMultiplyAdd(TWeights.Get(w0, c), x[c], t0);
            t1 = MathF.FusedMultiplyAdd(TWeights.Get(w1, c), x[c], t1);
            t2 = MathF.FusedMultiplyAdd(TWeights.Get(w2, c), x[c], t2);
            t3 = MathF.FusedMultiplyAdd(TWeights.Get(w3, c), x[c], t3);
        }

        (y[0], y[1], y[2], y[3]) = (t0, t1, t2, t3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourRows<TWeights>(byte* weights, int columns, float* x, float* y, int yStride)
        where TWeights : struct, IWeights
    {
        float* x0 = x, x1 = x0 + columns, x2 = x1 + columns, x3 = x2 + columns;
        TLanes s0 = TLanes.Fill(0), s1 = s0, s2 = s0, s3 = s0;
        nint c = 0;
        for (; c <= columns - LaneCount; c += LaneCount)
        {
            var widened = TWeights.Load<TLanes>(weights, c);
            s0 = TLanes.MultiplyAdd(widened, TLanes.Load(x0 + c), s0);
            s1 = TLanes.MultiplyAdd(widened, TLanes.Load(x1 + c), s1);
            s2 = TLanes.MultiplyAdd(widened, TLanes.Load(x2 + c), s2);
            s3 = TLanes.MultiplyAdd(widened, TLanes.Load(x3 + c), s3);
        }

        float t0 = TLanes.Sum(s0), t1 = TLanes.Sum(s1), t2 = TLanes.Sum(s2), t3 = TLanes.Sum(s3);
        for (; c < columns; c++)
        {
            var weight = TWeights.Get(weights, c);
            t0 = MathF.FusedMultiplyAdd(weight, x0[c], t0);
            t1 = MathF.FusedMultiplyAdd(weight, x1[c], t1);
            t2 = MathF.FusedMultiplyAdd(weight, x2[c], t2);
            t3 = MathF.FusedMultiplyAdd(weight, x3[c], t3);
        }

        y[0] = t0;
        y[yStride] = t1;
        y[2 * (nint)yStride] = t2;
        y[3 * (nint)yStride] = t3;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneOutput<TWeights>(byte* weights, int columns, float* x, float* y)
        where TWeights : struct, IWeights
    {
        var sum = TLanes.Fill(0);
        nint c = 0;
        for (; c <= columns - LaneCount; c += LaneCount)
        {
            sum = TLanes.MultiplyAdd(TWeights.Load<TLanes>(weights, c), TLanes.Load(x + c), sum);
        }

        var total = TLanes.Sum(sum);
        for (; c < columns; c++)
        {
            total = MathF.FusedMultiplyAdd(TWeights.Get(weights, c), x[c], total);
        }

        y[0] = total;
    }

    private interface IWeights
    {
        static abstract int WidthBytes { get; }

        static abstract T Load<T>(byte* row, nint column)
            where T : struct, ILanes<T>;

        static abstract float Get(byte* row, nint column);
    }

    private readonly struct Bf16Weights : IWeights
    {
        public static int WidthBytes => 2;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Load<T>(byte* row, nint column)
            where T : struct, ILanes<T> => T.LoadBf16((ushort*)row + column);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static float Get(byte* row, nint column) => Bf16.ToSingle(((ushort*)row)[column]);
    }

    private readonly struct FloatWeights : IWeights
    {
        public static int WidthBytes => 4;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Load<T>(byte* row, nint column)
            where T : struct, ILanes<T> => T.Load((float*)row + column);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static float Get(byte* row, nint column) => ((float*)row)[column];
    }
}
