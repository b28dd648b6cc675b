using System.Numerics.Tensors;

namespace Platform.Worker.Training;

/// <summary>RMSNorm (Zhang and Sennrich 2019) of rows, forward and backward.</summary>
internal static unsafe class RmsNorm
{
    /// <summary><c>y = x * scale * weight</c>, with one scale per row.</summary>
    public static void Forward(float* x, float* weight, float* y, float* scale, int rows, int width, float epsilon)
    {
        for (var r = 0; r < rows; r++, x += width, y += width)
        {
            scale[r] = 1 / MathF.Sqrt((TensorPrimitives.SumOfSquares(new ReadOnlySpan<float>(x, width)) / width) + epsilon);
            for (var c = 0; c < width; c++)
            {
                y[c] = x[c] * scale[r] * weight[c];
            }
        }
    }

    /// <summary>Adds to the gradients of x and of the weight.</summary>
    public static void Backward(float* dy, float* x, float* weight, float* scale, float* dx, float* dWeight, int rows, int width)
    {
        for (var r = 0; r < rows; r++, x += width, dy += width, dx += width)
        {
            var s = scale[r];
            var sum = 0f;
            for (var c = 0; c < width; c++)
            {
                sum += dy[c] * weight[c] * x[c];
                dWeight[c] += dy[c] * x[c] * s;
            }

            var shared = sum * s * s * s / width;
            for (var c = 0; c < width; c++)
            {
                dx[c] += (dy[c] * weight[c] * s) - (x[c] * shared);
            }
        }
    }
}
