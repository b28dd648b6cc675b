namespace Platform.DataPlane.Weights;

/// <summary>A weights file is not what it should be. The message names the file, what was found and what was expected.</summary>
public sealed class WeightsException : Exception
{
    /// <summary>Makes the exception.</summary>
    public WeightsException(string message)
        : base(message)
    {
    }

    /// <summary>Makes the exception with its cause.</summary>
    public WeightsException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
