namespace Platform.DataPlane.Weights;

/// <summary>Element types of safetensors files that the platform reads; all are little-endian and a whole number of bytes wide.</summary>
public enum TensorType
{
    /// <summary><c>BOOL</c>, one byte.</summary>
    Bool,

    /// <summary><c>U8</c>.</summary>
    U8,

    /// <summary><c>I8</c>.</summary>
    I8,

    /// <summary><c>F8_E4M3</c>: 4 exponent bits, 3 mantissa bits, no infinities (the "FN" variant).</summary>
    F8E4M3,

    /// <summary><c>F8_E5M2</c>: 5 exponent bits, 2 mantissa bits.</summary>
    F8E5M2,

    /// <summary><c>U16</c>.</summary>
    U16,

    /// <summary><c>I16</c>.</summary>
    I16,

    /// <summary><c>F16</c>, IEEE 754 half.</summary>
    F16,

    /// <summary><c>BF16</c>: the upper half of an IEEE 754 single.</summary>
    BF16,

    /// <summary><c>U32</c>.</summary>
    U32,

    /// <summary><c>I32</c>.</summary>
    I32,

    /// <summary><c>F32</c>.</summary>
    F32,

    /// <summary><c>U64</c>.</summary>
    U64,

    /// <summary><c>I64</c>.</summary>
    I64,

    /// <summary><c>F64</c>.</summary>
    F64,
}

/// <summary>Names and widths of <see cref="TensorType"/>.</summary>
public static class TensorTypes
{
    private static readonly (TensorType Type, string Name, int Width)[] All =
    [
        (TensorType.Bool, "BOOL", 1),
        (TensorType.U8, "U8", 1),
        (TensorType.I8, "I8", 1),
        (TensorType.F8E4M3, "F8_E4M3", 1),
        (TensorType.F8E5M2, "F8_E5M2", 1),
        (TensorType.U16, "U16", 2),
        (TensorType.I16, "I16", 2),
        (TensorType.F16, "F16", 2),
        (TensorType.BF16, "BF16", 2),
        (TensorType.U32, "U32", 4),
        (TensorType.I32, "I32", 4),
        (TensorType.F32, "F32", 4),
        (TensorType.U64, "U64", 8),
        (TensorType.I64, "I64", 8),
        (TensorType.F64, "F64", 8),
    ];

    /// <summary>Every name that <see cref="TryParse"/> knows, for error messages.</summary>
    public static string KnownNames => string.Join(", ", All.Select(entry => entry.Name));

    /// <summary>Bytes of one element.</summary>
    public static int WidthBytes(this TensorType type) => All[(int)type].Width;

    /// <summary>The name in a safetensors header, for example <c>BF16</c>.</summary>
    public static string SafetensorsName(this TensorType type) => All[(int)type].Name;

    /// <summary>Reads a header's <c>dtype</c>; false if it is not one of <see cref="KnownNames"/>.</summary>
    public static bool TryParse(string name, out TensorType type)
    {
        foreach (var entry in All)
        {
            if (entry.Name == name)
            {
                type = entry.Type;
                return true;
            }
        }

        type = default;
        return false;
    }
}
