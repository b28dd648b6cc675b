namespace Platform.DataPlane.Weights;

/// <summary>What a weights file says about one tensor.</summary>
/// <param name="Name">Name in the file, for example <c>model.layers.0.mlp.up_proj.weight</c>.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Extent per dimension, outermost first (row-major); empty for a scalar.</param>
/// <param name="OffsetBytes">First byte, counted from the beginning of the file (not of its data section).</param>
/// <param name="LengthBytes">Bytes; always the product of <paramref name="Shape"/> times the element's width.</param>
public sealed record TensorInfo(string Name, TensorType Type, IReadOnlyList<long> Shape, long OffsetBytes, long LengthBytes)
{
    /// <summary>The shape as error messages print it: <c>[32, 128]</c>.</summary>
    public string ShapeText => $"[{string.Join(", ", Shape)}]";

    /// <summary>The first byte after the tensor, counted from the beginning of the file.</summary>
    public long EndBytes => OffsetBytes + LengthBytes;
}
