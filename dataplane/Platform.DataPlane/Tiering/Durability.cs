namespace Platform.DataPlane.Tiering;

/// <summary>Where else a blob's bytes are.</summary>
public enum Durability
{
    /// <summary>It was read from an object, from which it can be read again.</summary>
    Recoverable,

    /// <summary>Nowhere else. Never evicted.</summary>
    OnlyCopy,

    /// <summary>It was written here first, and an object holds a copy by now.</summary>
    Replicated,
}
