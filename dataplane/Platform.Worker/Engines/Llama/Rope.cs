using System.Runtime.CompilerServices;

namespace Platform.Worker.Engines.Llama;

/// <summary>Rotary position embedding (Su et al. 2021) in the layout of Hugging Face: element i turns with element i + half.</summary>
internal sealed class Rope
{
    private readonly float[] _frequencies;

    public Rope(LlamaConfig config)
    {
        _frequencies = new float[config.HeadSize / 2];
        for (var i = 0; i < _frequencies.Length; i++)
        {
            var frequency = 1 / Math.Pow(config.RopeTheta, 2.0 * i / config.HeadSize);
            _frequencies[i] = (float)Stretch(frequency, config.RopeScaling);
        }
    }

    /// <summary>Cosines, then sines, of a position: as many of each as half a head.</summary>
    public void Angles(int position, Span<float> cosines, Span<float> sines)
    {
        for (var i = 0; i < _frequencies.Length; i++)
        {
            (sines[i], cosines[i]) = MathF.SinCos(position * _frequencies[i]);
        }
    }

    /// <summary>Turns one head in place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static unsafe void Turn(float* head, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines)
    {
        var half = cosines.Length;
        for (var i = 0; i < half; i++)
        {
            float first = head[i], second = head[i + half];
            head[i] = (first * cosines[i]) - (second * sines[i]);
            head[i + half] = (second * cosines[i]) + (first * sines[i]);
        }
    }

    /// <summary>llama3: long wavelengths are divided by the factor, short ones kept, those between interpolated.</summary>
    private static double Stretch(double frequency, RopeScaling? scaling)
    {
        if (scaling is null)
        {
            return frequency;
        }

        if (scaling.Kind == "linear")
        {
            return frequency / scaling.Factor;
        }

        var wavelength = 2 * Math.PI / frequency;
        if (wavelength < scaling.OriginalContextLength / scaling.HighFrequencyFactor)
        {
            return frequency;
        }

        if (wavelength > scaling.OriginalContextLength / scaling.LowFrequencyFactor)
        {
            return frequency / scaling.Factor;
        }

        var smooth = ((scaling.OriginalContextLength / wavelength) - scaling.LowFrequencyFactor) / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor);
        return ((1 - smooth) * frequency / scaling.Factor) + (smooth * frequency);
    }
}
