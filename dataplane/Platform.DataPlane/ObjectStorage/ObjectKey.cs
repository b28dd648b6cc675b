using System.Buffers;

namespace Platform.DataPlane.ObjectStorage;

/// <summary>Which keys are keys. Checked by every storage before anything is built from a key.</summary>
public static class ObjectKey
{
    /// <summary>What a key may be, for error messages.</summary>
    public const string Rule = "1 to 512 of A-Z a-z 0-9 / . _ - =, no empty, '.' or '..' segment, no slash at the ends";

    private static readonly SearchValues<char> Allowed = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-=");

    /// <summary>True if <paramref name="key"/> is a legal key.</summary>
    public static bool IsValid(string? key)
    {
        if (string.IsNullOrEmpty(key) || key.Length > 512 || key.AsSpan().ContainsAnyExcept(Allowed))
        {
            return false;
        }

        foreach (var range in key.AsSpan().Split('/'))
        {
            if (key.AsSpan()[range] is "" or "." or "..")
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Throws unless <paramref name="key"/> is a legal key.</summary>
    /// <exception cref="StorageException"><see cref="StorageError.InvalidKey"/>.</exception>
    public static void ThrowIfInvalid(string? key)
    {
        if (!IsValid(key))
        {
            throw new StorageException(StorageError.InvalidKey, $"'{key}' is not an object key. A key is {Rule}.");
        }
    }
}
