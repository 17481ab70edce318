"""What makes an encoder fast: attention, dropout, packed weights, texts without padding."""
