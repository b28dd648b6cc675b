namespace Platform.Worker.Engines.Tokenizers;

/// <summary>How byte-level vocabularies spell bytes: printable Latin-1 characters stand for themselves, every other byte for U+0100 and up (GPT-2's <c>bytes_to_unicode</c>).</summary>
internal static class ByteAlphabet
{
    private static readonly char[] Characters = MakeCharacters();
    private static readonly short[] Values = MakeValues();

    /// <summary>The character that stands for a byte.</summary>
    public static char ToCharacter(byte value) => Characters[value];

    /// <summary>The bytes that a vocabulary entry spells; null if it has a character outside the alphabet.</summary>
    public static byte[]? ToBytes(string entry)
    {
        var bytes = new byte[entry.Length];
        for (var i = 0; i < entry.Length; i++)
        {
            if (entry[i] >= Values.Length || Values[entry[i]] < 0)
            {
                return null;
            }

            bytes[i] = (byte)Values[entry[i]];
        }

        return bytes;
    }

    /// <summary>The vocabulary entry that spells these bytes.</summary>
    public static string ToEntry(ReadOnlySpan<byte> bytes)
    {
        var characters = new char[bytes.Length];
        for (var i = 0; i < bytes.Length; i++)
        {
            characters[i] = Characters[bytes[i]];
        }

        return new string(characters);
    }

    /// <summary>By character: the byte that it stands for; -1 for none.</summary>
    private static short[] MakeValues()
    {
        var values = new short[Characters.Max() + 1];
        Array.Fill(values, (short)-1);
        for (short value = 0; value < Characters.Length; value++)
        {
            values[Characters[value]] = value;
        }

        return values;
    }

    private static char[] MakeCharacters()
    {
        var characters = new char[256];
        var next = 256;
        for (var value = 0; value < 256; value++)
        {
            characters[value] = value is (>= '!' and <= '~') or (>= 0xa1 and <= 0xac) or (>= 0xae and <= 0xff) ? (char)value : (char)next++;
        }

        return characters;
    }
}
