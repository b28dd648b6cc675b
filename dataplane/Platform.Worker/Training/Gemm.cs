using System.Numerics;
using System.Runtime.CompilerServices;

namespace Platform.Worker.Training;

/// <summary>Matrix products of floats: <c>C = A B</c> or <c>C += A B</c>.</summary>
/// <remarks>A block of six rows by two vectors stays in registers; the two vectors' columns of B stay in the first-level cache for all rows of A. A may lie either way round, B and C row by row.</remarks>
internal static unsafe class Gemm
{
    private const int BlockRows = 6;

    private static int Width => Vector<float>.Count;

    /// <summary>Computes [m, n] from [m, k] and [k, n].</summary>
    /// <param name="m">Rows of A and C.</param>
    /// <param name="n">Columns of B and C.</param>
    /// <param name="k">Columns of A, rows of B.</param>
    /// <param name="a">First element of A.</param>
    /// <param name="aRow">Elements from one row of A to the next.</param>
    /// <param name="aColumn">Elements from one column of A to the next.</param>
    /// <param name="b">First element of B.</param>
    /// <param name="bRow">Elements from one row of B to the next.</param>
    /// <param name="c">First element of C.</param>
    /// <param name="cRow">Elements from one row of C to the next.</param>
    /// <param name="add">True: add to C.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(int m, int n, int k, float* a, nint aRow, nint aColumn, float* b, nint bRow, float* c, nint cRow, bool add)
    {
        var j = 0;
        for (; j <= n - (2 * Width); j += 2 * Width)
        {
            var i = 0;
            for (; i <= m - BlockRows; i += BlockRows)
            {
                SixRows(k, a + (i * aRow), aRow, aColumn, b + j, bRow, c + (i * cRow) + j, cRow, add);
            }

            for (; i < m; i++)
            {
                OneRow(k, a + (i * aRow), aColumn, b + j, bRow, c + (i * cRow) + j, add);
            }
        }

        for (; j < n; j++)
        {
            for (var i = 0; i < m; i++)
            {
                OneElement(k, a + (i * aRow), aColumn, b + j, bRow, c + (i * cRow) + j, add);
            }
        }
    }

    /// <summary>Writes the transpose of [rows, columns].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose(int rows, int columns, float* source, nint sourceRow, float* target, nint targetRow)
    {
        const int Block = 16;
        for (var r0 = 0; r0 < rows; r0 += Block)
        {
            for (var c0 = 0; c0 < columns; c0 += Block)
            {
                for (var r = r0; r < Math.Min(rows, r0 + Block); r++)
                {
                    for (var c = c0; c < Math.Min(columns, c0 + Block); c++)
                    {
                        target[(c * targetRow) + r] = source[(r * sourceRow) + c];
                    }
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SixRows(int k, float* a, nint aRow, nint aColumn, float* b, nint bRow, float* c, nint cRow, bool add)
    {
        Vector<float> s00 = default, s01 = default, s10 = default, s11 = default, s20 = default, s21 = default;
        Vector<float> s30 = default, s31 = default, s40 = default, s41 = default, s50 = default, s51 = default;
        float* a3 = a + (3 * aRow);
        for (var p = 0; p < k; p++)
        {
            var b0 = Vector.Load(b);
            var b1 = Vector.Load(b + Width);
            var x = new Vector<float>(a[0]);
            s00 = Vector.FusedMultiplyAdd(x, b0, s00);
            s01 = Vector.FusedMultiplyAdd(x, b1, s01);
            x = new Vector<float>(a[aRow]);
            s10 = Vector.FusedMultiplyAdd(x, b0, s10);
            s11 = Vector.FusedMultiplyAdd(x, b1, s11);
            x = new Vector<float>(a[2 * aRow]);
            s20 = Vector.FusedMultiplyAdd(x, b0, s20);
            s21 = Vector.FusedMultiplyAdd(x, b1, s21);
            x = new Vector<float>(a3[0]);
            s30 = Vector.FusedMultiplyAdd(x, b0, s30);
            s31 = Vector.FusedMultiplyAdd(x, b1, s31);
            x = new Vector<float>(a3[aRow]);
            s40 = Vector.FusedMultiplyAdd(x, b0, s40);
            s41 = Vector.FusedMultiplyAdd(x, b1, s41);
            x = new Vector<float>(a3[2 * aRow]);
            s50 = Vector.FusedMultiplyAdd(x, b0, s50);
            s51 = Vector.FusedMultiplyAdd(x, b1, s51);
            b += bRow;
            a += aColumn;
            a3 += aColumn;
        }

        Put(s00, s01, c, add);
        Put(s10, s11, c + cRow, add);
        Put(s20, s21, c + (2 * cRow), add);
        Put(s30, s31, c + (3 * cRow), add);
        Put(s40, s41, c + (4 * cRow), add);
        Put(s50, s51, c + (5 * cRow), add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneRow(int k, float* a, nint aColumn, float* b, nint bRow, float* c, bool add)
    {
        Vector<float> s0 = default, s1 = default;
        for (var p = 0; p < k; p++)
        {
            var x = new Vector<float>(*a);
            s0 = Vector.FusedMultiplyAdd(x, Vector.Load(b), s0);
            s1 = Vector.FusedMultiplyAdd(x, Vector.Load(b + Width), s1);
            b += bRow;
            a += aColumn;
        }

        Put(s0, s1, c, add);
    }

    private static void OneElement(int k, float* a, nint aColumn, float* b, nint bRow, float* c, bool add)
    {
        var sum = add ? *c : 0;
        for (var p = 0; p < k; p++)
        {
            sum = MathF.FusedMultiplyAdd(a[p * aColumn], b[p * bRow], sum);
        }

        *c = sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(Vector<float> first, Vector<float> second, float* c, bool add)
    {
        if (add)
        {
            first += Vector.Load(c);
            second += Vector.Load(c + Width);
        }

        first.Store(c);
        second.Store(c + Width);
    }
}
