#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""embed.py - a file as a C array: embed.py INPUT OUTPUT.c SYMBOL"""
import sys

source, target, symbol = sys.argv[1:]
data = open(source, 'rb').read()
with open(target, 'w') as out:
    out.write('#include <stddef.h>\n\n')
    out.write(f'extern const unsigned char {symbol}[];\nextern const size_t {symbol}_len;\n\n')
    out.write(f'const unsigned char {symbol}[] = {{\n')
    for i in range(0, len(data), 16):
        out.write('\t' + ' '.join(f'{b},' for b in data[i:i + 16]) + '\n')
    out.write(f'}};\nconst size_t {symbol}_len = {len(data)};\n')
